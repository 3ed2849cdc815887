# frozen_string_literal: true

require_relative '../../puppet_x/runit/document'

Puppet::Type.newtype(:runit_data) do
  @doc = <<-DOC
    @summary The file with all of a host's data, put together from the class's hash and every `runit_fragment` for it.

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

  newparam(:validate_cmd) do
    desc 'A command that judges new data before it takes the place of the old; `%` stands for its file. It fails for bad data.'
  end

  autorequire(:runit_fragment) { fragments.map(&:title) }
  autorequire(:user) { document.accounts }
  autorequire(:file) { File.dirname(self[:path]) }

  # Before anything is applied, so that resources that contradict each other stop the run.
  def generate
    document
    []
  rescue PuppetX::Runit::Document::Conflict => e
    raise Puppet::Error, e.message
  end

  def eval_generate
    [generated]
  end

  private

  def fragments
    catalog.resources.select { |resource| resource.is_a?(Puppet::Type.type(:runit_fragment)) && resource[:target] == title }
  end

  def document
    @document ||= fragments.sort_by(&:title).each_with_object(PuppetX::Runit::Document.new(self[:data], 'Class[Runit]')) do |fragment, all|
      all.add(fragment[:keys], fragment[:value], fragment[:name])
    end
  end

  def generated
    options = { path: self[:path], owner: self[:owner], mode: '0600', content: document.to_s, backup: false, show_diff: false,
                validate_cmd: self[:validate_cmd], loglevel: self[:loglevel], noop: self[:noop] }
    file = Puppet::Type.type(:file).new(options.compact)
    file.parameter(:content).sensitive = true
    file.tag(*tags)
    file
  end
end
