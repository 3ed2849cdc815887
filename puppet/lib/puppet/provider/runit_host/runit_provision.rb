# frozen_string_literal: true

require_relative '../../../puppet_x/runit/reasoned'

Puppet::Type.type(:runit_host).provide(:runit_provision) do
  desc 'The command `runit-provision`.'

  # What would change, in words.
  def reasons
    PuppetX::Runit::Reasoned.told(resource.host.rest, '; ')
  end

  def apply
    resource.host.apply_rest.each { |note| resource.notice(note) }
  rescue PuppetX::Runit::Tool::Refusal => e
    raise Puppet::Error, e.message
  end
end
