# frozen_string_literal: true

module PuppetX; end unless defined?(PuppetX)
module PuppetX::Runit; end unless defined?(PuppetX::Runit)

# The services that a runsvdir scans, as their supervise/status (20 bytes; runsv(8)) tells.
#
# A supervise directory may belong to somebody else: what stands in it is opened without following a link and without waiting.
class PuppetX::Runit::Tree
  DIRECTORIES = ['/etc/service', '/var/service', '/service'].freeze
  STATES = { 0 => 'down', 1 => 'up', 2 => 'finish' }.freeze
  SIZE = 20
  STATE = 19

  # The first directory that exists of those that runit's tools look for; nil when there is none.
  def self.find(directories = DIRECTORIES)
    directory = directories.find { |path| File.directory?(path) }
    directory && new(directory)
  end

  attr_reader :directory

  def initialize(directory)
    @directory = directory
  end

  # Each service's state: up, down, finish, or unsupervised.
  def states
    names = Dir.children(directory).reject { |name| name.start_with?('.') }
    names.select { |name| File.directory?(File.join(directory, name)) }.sort.to_h { |name| [name, state(File.join(directory, name))] }
  end

  private

  def state(service)
    return 'unsupervised' unless supervised?(File.join(service, 'supervise/ok'))

    status = open(File.join(service, 'supervise/status'), File::RDONLY) { |file| file.read(SIZE) }
    STATES.fetch(status&.bytesize == SIZE ? status.getbyte(STATE) : nil, 'unsupervised')
  rescue SystemCallError
    'unsupervised'
  end

  # A fifo that nobody reads refuses to be opened for writing: ENXIO.
  def supervised?(fifo)
    File.lstat(fifo).pipe? && open(fifo, File::WRONLY) { true }
  end

  def open(path, flags, &block)
    File.open(path, flags | File::NONBLOCK | File::NOFOLLOW, &block)
  end
end
