# frozen_string_literal: true

require 'spec_helper'

describe 'runit' do
  let(:tool) { '/usr/local/bin/runit-provision' }

  it { is_expected.not_to contain_exec('runit-provision install') }

  context 'with wheels of the file server' do
    let(:params) { { 'tool_source' => 'puppet:///modules/profile/wheels' } }

    let(:words) { catalogue.resource('Exec', 'runit-provision install')[:command] }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_class('runit::tool').that_comes_before('Class[runit::config]') }
    it { is_expected.to contain_file('/opt/runit-provision/wheels').with(source: 'puppet:///modules/profile/wheels', recurse: true, purge: true) }
    it { is_expected.to contain_file(tool).with(ensure: 'link', target: '/opt/runit-provision/current/bin/runit-provision') }
    it { is_expected.to contain_file(tool).that_requires('Exec[runit-provision install]') }
    it { is_expected.to contain_exec('runit-provision install').that_requires('File[/opt/runit-provision/wheels]') }

    on_every_system do |system, expected|
      context "of #{system}" do
        let(:facts) { expected.facts }

        it { is_expected.to contain_package(expected.python).that_comes_before('Exec[runit-provision install]') }
        it { expect(words.last).to eq(expected.family == 'RedHat' ? 'python3.11' : 'python3') }
      end
    end

    context 'when it is called where it is installed' do
      let(:params) { super().merge('command' => '/opt/runit-provision/current/bin/runit-provision') }

      it { is_expected.to compile.with_all_deps }
      it { is_expected.not_to contain_file(tool) }
    end

    context 'with a Python from elsewhere' do
      let(:params) { super().merge('tool_python' => '/opt/python/bin/python3', 'tool_packages' => []) }

      it { is_expected.to have_package_resource_count(0) }
      it { expect(words).to eq(['sh', '/opt/runit-provision/tool.sh', 'install', '/opt/runit-provision', '/opt/python/bin/python3']) }
    end
  end
end
