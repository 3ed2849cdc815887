# A host in one exec, for those who want no module: hiera's data as a file, and the command that compares and applies them.
# The module (puppet/) is for more: an event for each service, secrets, noop that tells what would change.
$data = lookup('runit', Hash, 'deep')
$file = '/etc/runit-provision.json'

file { $file:
  mode    => '0600',
  content => inline_template('<%= require "json"; JSON.pretty_generate("runit" => @data) %>'),
}

exec { 'services are as the data say':
  command   => "runit-provision apply --data ${file}",
  unless    => "runit-provision check --data ${file}",
  path      => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  timeout   => 0,  # apply waits for services, and knows itself for how long
  subscribe => File[$file],
}
