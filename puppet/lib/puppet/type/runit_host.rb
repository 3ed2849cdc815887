# frozen_string_literal: true

require_relative '../../puppet_x/runit/host'
require_relative '../../puppet_x/runit/reasoned'

Puppet::Type.newtype(:runit_host) do
  @doc = <<-DOC
    @summary All of a host that is no single service: accounts, directories, the runtime, and services that the data know no more.

    It asks the tool once how everything is, for itself and for every `runit_service` of the same data. Services of the data that no
    resource stands for get one, so that each has its own events, failure and noop.

    @example
      runit_host { '/etc/runit-provision/data.json':
        command => ['/usr/local/bin/runit-provision'],
      }
  DOC

  newparam(:path, namevar: true) do
    desc 'The file of data: the title of its `runit_data`.'
  end

  newparam(:command) do
    desc 'The tool: its absolute path, and arguments that come first if there are any.'
    validate { |value| raise ArgumentError, 'has to be a list of words' unless value.is_a?(Array) || value.is_a?(String) }
    munge { |value| Array(value) }
  end

  newparam(:options) do
    desc 'More options of `apply` and `restart`.'
    defaultto { [] }
  end

  newproperty(:ensure) do
    include PuppetX::Runit::Reasoned

    desc 'That what belongs to no service is as the data say.'
    defaultto :applied
    newvalue(:applied) { provider.apply }

    def retrieve
      provider.reasons.empty? ? :applied : :different
    end
  end

  autorequire(:runit_data) { self[:path] }

  # A resource for each service of the data that has none.
  def generate
    data = catalog.resource(:runit_data, self[:path])
    return [] unless data

    there = catalog.resources.select { |resource| resource.is_a?(Puppet::Type.type(:runit_service)) }
    names = there.to_h { |resource| [resource[:name], true] }
    data.services.reject { |name, _| names.key?(name) }.map { |name, keys| stand_in(name, keys) }
  end

  # The host as it is asked and told during this run.
  def host
    @host ||= PuppetX::Runit::Host.new(awaited? ? nil : PuppetX::Runit::Tool.new(self[:command], self[:path], self[:options]), unwritten)
  end

  private

  def stand_in(name, keys)
    options = { name: name, target: self[:path], keys: keys, noop: self[:noop], loglevel: self[:loglevel] }
    Puppet::Type.type(:runit_service).new(options.compact)
  end

  # Whether the catalogue would bring the tool, which noop keeps it from.
  def awaited?
    noop? && catalog.resource(:exec, 'runit-provision install') && !File.exist?(self[:command].first)
  end

  def unwritten
    catalog.resource(:runit_data, self[:path])&.unwritten
  end
end
