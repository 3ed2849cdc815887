# frozen_string_literal: true

require 'rspec-puppet' # links the module into spec/fixtures/modules

$LOAD_PATH.unshift(File.expand_path('../lib', __dir__))

# Holds values against a type alias. rspec-puppet compiles a catalogue for each; here one compiler knows all the types.
module Aliases
  def self.type(name)
    @environment ||= Puppet::Node::Environment.create(:rp_env, RSpec.configuration.module_path.split(File::PATH_SEPARATOR))
    @loaders ||= Puppet::Pops::Loaders.new(@environment)
    Puppet.override(current_environment: @environment, loaders: @loaders) do
      Puppet::Pops::Types::TypeParser.singleton.parse(name, @loaders.find_loader('runit'))
    end
  end

  def sensitive(value)
    Puppet::Pops::Types::PSensitiveType::Sensitive.new(value)
  end

  def deferred
    Puppet::Pops::Types::TypeFactory.deferred.implementation_class.new('sprintf', ['text'])
  end

  def allow_values(*values)
    Allows.new(Aliases.type(self.class.top_level_description), values)
  end

  # The matcher.
  Allows = Struct.new(:type, :values) do
    def matches?(_)
      refused.empty?
    end

    def does_not_match?(_)
      refused.size == values.size
    end

    def description
      "allow #{values.map(&:inspect).join(', ')}"
    end

    def failure_message
      "#{type} refuses #{refused.map(&:inspect).join(', ')}"
    end

    def failure_message_when_negated
      "#{type} allows #{(values - refused).map(&:inspect).join(', ')}"
    end

    private

    def refused
      values.reject { |value| type.instance?(value == :undef ? nil : value) }
    end
  end
end

# What facter says of a system of each family, what runit's package is called if there is one, and what it scans if it is not /etc/service.
System = Struct.new(:name, :family, :release, :package, :directory) do
  # What brings a Python that can make a virtual environment.
  def python
    { 'Debian' => 'python3-venv', 'RedHat' => 'python3.11', 'Archlinux' => 'python', 'Gentoo' => 'dev-lang/python' }.fetch(family, 'python3')
  end

  def facts
    { 'os' => { 'name' => name, 'family' => family, 'release' => { 'full' => release, 'major' => release[/\A\d+/] } } }
  end
end

SYSTEMS = [
  System.new('Debian', 'Debian', '12', 'runit-run'), System.new('Debian', 'Debian', '13', 'runit-run'),
  System.new('Ubuntu', 'Debian', '24.04', 'runit-run'), System.new('RedHat', 'RedHat', '9.4'),
  System.new('Rocky', 'RedHat', '9.4'), System.new('AlmaLinux', 'RedHat', '9.4'),
  System.new('Alpine', 'Alpine', '3.20.1', 'runit'), System.new('Archlinux', 'Archlinux', '6.9.7-arch1-1'),
  System.new('Gentoo', 'Gentoo', '2.15', 'sys-process/runit'), System.new('Void', 'Void', '6.6.36_1', 'runit', '/var/service')
].freeze

def on_every_system
  SYSTEMS.each { |system| yield "#{system.name} #{system.release}", system }
end

RSpec.configure do |config|
  config.module_path = File.join(__dir__, 'fixtures', 'modules')
  config.hiera_config = File.join(__dir__, 'hiera.yaml')
  config.strict_variables = true
  config.mock_with(:rspec)
  # Not an example of rspec-puppet, which would set Puppet up anew for each.
  config.define_derived_metadata(file_path: %r{spec/type_aliases/}) { |metadata| metadata[:type] = :alias }
  config.include Aliases, type: :alias
  config.default_facts = {
    'os' => { 'name' => 'Debian', 'family' => 'Debian', 'release' => { 'major' => '12' } },
    'path' => '/usr/sbin:/usr/bin:/sbin:/bin'
  }
end
