# frozen_string_literal: true

require 'json'
require 'shellwords'

module PuppetX; end unless defined?(PuppetX)
module PuppetX::Runit; end unless defined?(PuppetX::Runit)

# What runit-provision tells of itself. It looks at a user's services with that user's rights, which root should not do itself: whose
# the directories are may have them lead anywhere.
class PuppetX::Runit::Applied
  PLACES = ['/usr/local/bin/runit-provision', '/usr/bin/runit-provision', '/opt/runit-provision/bin/runit-provision'].freeze
  TREE = /\Arunsvdir-(.+)\z/.freeze

  # What root alone may read: the data that the module has laid.
  DATA = '/etc/runit-provision/data.json'
  # How the module calls the tool, a word a line.
  COMMAND = '/etc/runit-provision/command'

  # The directory of the host's tree, where the data name one.
  def self.service_directory(file = DATA)
    JSON.parse(File.read(file)).dig('runit', 'service_directory')
  rescue SystemCallError, JSON::ParserError
    nil
  end

  # The command line that the tool is called with; nil where there is none.
  def self.command(file = COMMAND, places = PLACES)
    return Shellwords.join(File.readlines(file, chomp: true)) if File.file?(file)

    places.find { |place| File.executable?(place) }
  end

  # run: what runs a command line and gives its standard output, nil or "" when it fails; tool: a command line, or nil.
  def initialize(run, tool = self.class.command)
    @run = run
    @tool = tool
  end

  # version: the tool's; users: per user the state of each service. Nothing where there is no tool, or it does not answer.
  def to_h
    return {} unless @tool

    version = @run.call("#{@tool} --version").to_s[/\S+\z/]
    version ? { 'version' => version, 'users' => users } : {}
  end

  private

  def users
    states = rows.to_h { |row| [row['service'], row['state'].sub('not supervised', 'unsupervised')] }
    names = states.keys.map { |id| id[TREE, 1] }.compact
    names.to_h { |name| [name, states.select { |id, _| id.start_with?("#{name}/") }.transform_keys { |id| id.delete_prefix("#{name}/") }] }
  end

  def rows
    JSON.parse(@run.call("#{@tool} status --format json").to_s)
  rescue JSON::ParserError
    []
  end
end
