# frozen_string_literal: true

require 'etc'
require_relative '../../puppet_x/runit/document'
require_relative '../../puppet_x/runit/tool'

Puppet::Type.newtype(:runit_data) do
  @doc = <<-DOC
    @summary The file with all of a host's data, put together from the class's hash and what every `runit_service` adds to it.

    The file is readable by its owner alone, since it may hold secrets, and its contents are shown nowhere. Accounts that the data
    speaks of are required when the catalogue has them.

    @example
      runit_data { '/etc/runit-provision/data.json':
        data => { 'users' => ['apprun1', 'apprun2'] },
      }
  DOC

  newparam(:path, namevar: true) do
    desc 'The absolute path of the file.'
    validate { |value| raise ArgumentError, "#{value} is not an absolute path" unless Puppet::Util.absolute_path?(value) }
  end

  newparam(:data) do
    desc 'The hash `runit`, as hiera has it. It may hold secrets.'
    defaultto({})
    validate { |value| raise ArgumentError, "has to be a hash, not #{value.class}" unless value.is_a?(Hash) }
  end

  newparam(:owner) do
    desc 'Who owns the file and alone may read it.'
  end

  newparam(:command) do
    desc 'The tool: its absolute path, and arguments that come first if there are any. It judges new data before they replace the old.'
    validate { |value| raise ArgumentError, 'has to be a list of words' unless value.is_a?(Array) || value.is_a?(String) }
    munge { |value| Array(value) }
  end

  autorequire(:user) { document.accounts }
  autorequire(:file) { File.dirname(self[:path]) }

  # It is shown nowhere anyway.
  def set_sensitive_parameters(names)
    super(names - [:data])
  end

  # Resources that contradict each other stop the run before anything is applied.
  def pre_run_check
    document.refuse_misplaced { |name| users.include?(name) || account?(name) }
  rescue PuppetX::Runit::Document::Conflict => e
    raise Puppet::Error, e.message
  end

  # Where the tool cannot work, what is deferred is not to be had, or data are bad, all that follows would fail, each in its own words.
  def retrieve
    document.to_s
    faults = self[:command] && !noop? ? faults_of_tool : []
    raise Puppet::Error, faults.join("\n") unless faults.empty?

    super
  rescue PuppetX::Runit::Tool::Refusal => e
    raise Puppet::Error, e.message
  end

  def eval_generate
    [generated]
  end

  # The keys that lead to each service in the data, by its name.
  def services
    document.services
  rescue PuppetX::Runit::Document::Conflict
    {} # which stops the run by itself
  end

  # The names of the services that the data have a service wait for.
  def before(service)
    document.before(service)
  rescue PuppetX::Runit::Document::Conflict
    []
  end

  # The services that wait for accounts that the catalogue is yet to make, as it is during noop.
  def awaiting
    services.keys - settled.services.keys
  end

  # The text, when the file does not hold it (yet), without those services.
  def unwritten
    text = settled.to_s
    text unless File.file?(self[:path]) && File.binread(self[:path]).force_encoding(text.encoding) == text
  end

  private

  def parts
    catalog.resources.select { |resource| resource.is_a?(Puppet::Type.type(:runit_service)) && resource[:target] == title && resource[:value] }
  end

  def document
    @document ||= parts.sort_by(&:title).each_with_object(PuppetX::Runit::Document.new(self[:data], 'Class[Runit]')) do |part, all|
      all.add(part[:keys], part[:value], origin(part))
    end
  end

  # Who declares it: the define, as a person wrote it.
  def origin(part)
    container = catalog.container_of(part)
    container.is_a?(Puppet::Type.type(:component)) ? container.ref : part.ref
  end

  def settled
    document.without((document.accounts & users).reject { |name| account?(name) })
  end

  # The accounts of the catalogue.
  def users
    catalog.resources.select { |resource| resource.is_a?(Puppet::Type.type(:user)) }.map { |user| user[:name] }
  end

  def account?(name)
    Etc.getpwnam(name) && true
  rescue ArgumentError
    false
  end

  # Why the tool cannot work here, or refuses data that are not in the file yet.
  def faults_of_tool
    fault = PuppetX::Runit::Tool.fault(self[:command])
    return [fault] if fault
    return [] unless unwritten

    PuppetX::Runit::Tool.new(self[:command], self[:path]).problems(unwritten).map do |line|
      origin = document.origin(line[/\Arunit\.(.*?): /, 1])
      origin ? "#{line} (#{origin})" : line
    end
  end

  def generated
    options = { path: self[:path], owner: self[:owner], mode: '0600', content: document.to_s, backup: false, show_diff: false,
                loglevel: self[:loglevel], noop: self[:noop] }
    file = Puppet::Type.type(:file).new(options.compact)
    file.parameter(:content).sensitive = true
    file.tag(*tags)
    file
  end
end
