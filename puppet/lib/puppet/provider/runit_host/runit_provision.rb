# frozen_string_literal: true

Puppet::Type.type(:runit_host).provide(:runit_provision) do
  desc 'The command `runit-provision`.'

  def rest
    resource.host.rest
  end

  def apply
    resource.host.apply_rest.each { |note| resource.notice(note) }
  rescue PuppetX::Runit::Tool::Refusal => e
    raise Puppet::Error, e.message
  end
end
