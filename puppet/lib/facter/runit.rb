# frozen_string_literal: true

require_relative '../puppet_x/runit/tree'

# The host's tree: the directory that its runsvdir scans, and each service's state (up, down, finish or unsupervised).
Facter.add(:runit) do
  confine kernel: 'Linux'

  setcode do
    tree = PuppetX::Runit::Tree.find
    tree && { 'service_directory' => tree.directory, 'services' => tree.states }
  end
end
