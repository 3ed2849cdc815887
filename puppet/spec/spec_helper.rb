# frozen_string_literal: true

require 'rspec-puppet' # links the module into spec/fixtures/modules

$LOAD_PATH.unshift(File.expand_path('../lib', __dir__))

RSpec.configure do |config|
  config.module_path = File.join(__dir__, 'fixtures', 'modules')
  config.hiera_config = File.join(__dir__, 'hiera.yaml')
  config.strict_variables = true
  config.mock_with(:rspec)
  config.default_facts = {
    'os' => { 'name' => 'Debian', 'family' => 'Debian', 'release' => { 'major' => '12' } },
    'path' => '/usr/sbin:/usr/bin:/sbin:/bin'
  }
end
