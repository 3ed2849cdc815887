# frozen_string_literal: true

require 'json'
require 'open3'
require 'tempfile'

module PuppetX; end unless defined?(PuppetX)
module PuppetX::Runit; end unless defined?(PuppetX::Runit)

# The command `runit-provision` with one file of data. What it prints is read as JSON; what it refuses is an error with its own words.
class PuppetX::Runit::Tool
  # It cannot be run, or would not do what it was asked.
  class Refusal < StandardError; end

  NEEDS = 'the module needs runit-provision on the host, with Python 3.11 or later; the parameter `runit::command` says where it is'

  # Why the command cannot do its work on this host, and what it needs; nil when it answers.
  def self.fault(command)
    _, err, status = Open3.capture3({ 'LC_ALL' => 'C.UTF-8' }, *command, '--version', stdin_data: '')
    # 64: a wrapper adds options to it that only its other commands have.
    "#{command.join(' ')} does not work here (#{err.scrub.lines.last&.strip || status}): #{NEEDS}" unless [0, 64].include?(status.exitstatus)
  rescue SystemCallError => e
    "#{unrunnable(command.first, e)}: #{NEEDS}"
  end

  # A script whose interpreter is missing is said to be missing itself.
  def self.unrunnable(program, error)
    interpreter = File.open(program, &:gets).to_s.scrub[/\A#! *(\S+)/, 1] if error.is_a?(Errno::ENOENT) && File.file?(program)
    interpreter ? "#{program} cannot be run: its interpreter #{interpreter} is not there" : "#{program} cannot be run (#{error.message})"
  end
  private_class_method :unrunnable

  # command: words; file: of the data; options: more of them for whatever changes the host.
  def initialize(command, file, options = [])
    @command = command
    @file = file
    @options = options
  end

  # Why data that are in no file yet would be refused, a line each.
  def problems(text)
    beside(text) do |file|
      _, err, status = run('render', '--strict-accounts', '--data', file)
      raise Refusal, refusal('render', err, status) unless [0, 1].include?(status.exitstatus) && !err.include?('Traceback')

      status.success? ? [] : err.scrub.lines.map { |line| placeless(line.chomp, file) }
    end
  end

  # How the host and every service is, and what is not as the data say.
  #
  # text: data that the file does not have yet, and which are asked about in its place.
  def check(text = nil)
    text ? beside(text) { |file| seen(file) } : seen(@file)
  end

  # How the services are that apply has made here, whatever the data say.
  def status
    ask('status')
  end

  # Make these services as the data say, or all that is no service of the data.
  def apply(services)
    part = services ? services.flat_map { |service| ['--service', service] } : ['--no-services']
    report = ask('apply', '--data', @file, *part, *@options)
    report.merge('failed' => report['failed'].transform_values { |lines| lines.map { |line| placeless(line, @file) } },
                 'problems' => report['problems'].map { |line| placeless(line, @file) })
  end

  # End services and start them again.
  def restart(services)
    ask('restart', *services, *@options)
  end

  private

  # A template or a source of the data is found in the file's folder, so that is where a file in its place has to be.
  def beside(text)
    folder = File.dirname(@file)
    Tempfile.create(['.data', '.json'], File.directory?(folder) ? folder : nil) do |file|
      file.write(text)
      file.flush
      yield file.path
    end
  end

  # Without the line of a file that nobody wrote: the key that is named stands in hiera, or in a manifest.
  def placeless(line, file)
    line.sub(/\A#{Regexp.escape(file)}(:\d+)*: /, '')
  end

  def seen(file)
    ask('check', '--data', file).tap do |all|
      all['states'].each { |row| row['problems'].map! { |line| placeless(line, file) } }
    end
  end

  def ask(verb, *words)
    out, err, status = run(verb, '--format', 'json', *words)
    JSON.parse(out)
  rescue JSON::ParserError
    raise Refusal, refusal(verb, err, status)
  end

  def run(*words)
    Open3.capture3({ 'LC_ALL' => 'C.UTF-8' }, *@command, *words, stdin_data: '')
  rescue SystemCallError => e
    raise Refusal, "#{@command.first} cannot be run (#{e.message}): #{NEEDS}"
  end

  def refusal(verb, err, status)
    said = err.scrub.strip
    how = status.signaled? ? "was ended by signal #{status.termsig}" : "ended with #{status.exitstatus}"
    told = "#{[*@command, verb].join(' ')} #{how}#{": #{said}" unless said.empty?}"
    # 1, 3 and 64 are the tool's own answers; with anything else it is not the tool that speaks.
    status.signaled? || ![1, 3, 64].include?(status.exitstatus) || said.include?('Traceback') ? "#{told}\n#{NEEDS}" : told
  end
end
