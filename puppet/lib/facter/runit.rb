# frozen_string_literal: true

require_relative '../puppet_x/runit/tree'
require_relative '../puppet_x/runit/applied'

# The host's tree (the directory that its runsvdir scans, and each service's state: up, down, finish or unsupervised); where
# runit-provision is, its version, and the services of each user's tree that it made.
Facter.add(:runit) do
  confine kernel: 'Linux'

  setcode do
    tree = PuppetX::Runit::Tree.find([PuppetX::Runit::Applied.service_directory, *PuppetX::Runit::Tree::DIRECTORIES].compact)
    found = tree ? { 'service_directory' => tree.directory, 'services' => tree.states } : {}
    found.merge!(PuppetX::Runit::Applied.new(->(line) { Facter::Core::Execution.execute(line, on_fail: nil, timeout: 20) }).to_h)
    found unless found.empty?
  end
end
