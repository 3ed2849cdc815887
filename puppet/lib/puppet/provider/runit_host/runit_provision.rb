# frozen_string_literal: true

Puppet::Type.type(:runit_host).provide(:runit_provision) do
  desc 'The command `runit-provision`.'

  # What would change, in words.
  def reasons
    resource.host.rest.join('; ')
  end

  def apply
    resource.host.apply_rest.each { |note| resource.notice(note) }
  rescue PuppetX::Runit::Tool::Refusal => e
    raise Puppet::Error, e.message
  end
end
