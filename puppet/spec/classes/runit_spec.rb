# frozen_string_literal: true

require 'spec_helper'

describe 'runit' do
  let(:data) { '/etc/runit-provision/data.json' }
  let(:tool) { '/usr/local/bin/runit-provision' }

  context 'with nothing said' do
    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_class('runit::install').that_comes_before('Class[runit::config]') }
    it { is_expected.to have_package_resource_count(0) }
    it { is_expected.to contain_class('runit::config').that_comes_before('Class[runit::apply]') }
    it { is_expected.to contain_file('/etc/runit-provision').with(ensure: 'directory', owner: 'root', mode: '0755') }
    it { is_expected.to contain_runit_data(data).with_data('runtime' => 'shipped').with_command([tool]) }

    it { is_expected.to contain_runit_host(data).with(command: [tool], options: ['--lock-timeout', '300']) }

    it 'links runsvdir to init' do
      link = ['--service-directory', '/etc/service', '--prefix', '/usr/local']
      is_expected.to contain_exec('runit-provision init link')
        .with(
          command: [tool, 'init', 'link', *link],
          onlyif: [['sh', '-c', '"$@"; test $? -eq 2', 'sh', tool, 'init', 'status', *link]]
        )
        .that_requires("Runit_host[#{data}]")
    end
  end

  context 'with the data of the original module in hiera' do
    let(:facts) { { 'role' => 'seed' } }
    let(:file) { '/var/cache/runit-provision/runit-2.1.1-6.el6.x86_64.rpm' }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_file(file).with_source('puppet:///files/runit-2.1.1-6.el6.x86_64.rpm') }
    it { is_expected.to contain_package('runit').with(provider: 'rpm', source: file).that_requires("File[#{file}]") }
    it { is_expected.not_to contain_exec('runit-provision init link') }

    it 'hands everything to the tool' do
      is_expected.to contain_runit_data(data).with_data(
        'package_file' => 'runit-2.1.1-6.el6.x86_64.rpm',
        'runtime' => 'package_file',
        'users' => %w[apprun1 apprun2]
      )
    end
  end

  context 'with automatic binding' do
    let(:facts) { { 'role' => 'bound' } }

    it { is_expected.to contain_runit_data(data).with_data('runtime' => 'shipped', 'users' => ['apprun1']) }
  end

  context 'with the same key in the hash and as a parameter' do
    let(:facts) { { 'role' => 'seed' } }
    let(:params) { { 'users' => ['kburdis'] } }

    it { is_expected.to compile.and_raise_error(/given below the hash `runit` in hiera and as parameters of the class: users/) }
  end

  context 'with an unknown key in the hash' do
    let(:facts) { { 'role' => 'wrong' } }

    it { is_expected.to compile.and_raise_error(/unrecognized key 'usres'/) }
  end

  context 'with the package of the distribution' do
    let(:params) { { 'runtime' => 'package' } }

    it { is_expected.to contain_package('runit-run').with_ensure('present') }

    on_every_system do |system, expected|
      context "of #{system}" do
        let(:facts) { expected.facts }

        next it { is_expected.to compile.and_raise_error(/no repository of the family #{expected.family} is known/) } unless expected.package

        it { is_expected.to contain_package(expected.package).with_provider(nil) }

        it 'has the services where that runit looks for them' do
          said = expected.directory ? { 'service_directory' => expected.directory } : {}
          is_expected.to contain_runit_data(data).with_data({ 'runtime' => 'package', **said })
        end
      end
    end
  end

  context 'with the package on a system that scans another directory, and a directory of one\'s own' do
    let(:facts) { SYSTEMS.find(&:directory).facts }
    let(:params) { { 'runtime' => 'package', 'service_directory' => '/srv/service' } }

    it { is_expected.to contain_runit_data(data).with_data('runtime' => 'package', 'service_directory' => '/srv/service') }
  end

  context 'with a package that is named on a system that has none of its own' do
    let(:facts) { SYSTEMS.find { |system| system.family == 'RedHat' }.facts }
    let(:params) { { 'runtime' => 'package', 'package_name' => 'our-runit' } }

    it { is_expected.to contain_package('our-runit') }
  end

  context 'with packages left to somebody else' do
    let(:params) { { 'runtime' => 'package', 'manage_package' => false } }

    it { is_expected.to have_package_resource_count(0) }
  end

  context 'with init left alone' do
    let(:params) { { 'manage_init' => false } }

    it { is_expected.not_to contain_exec('runit-provision init link') }
  end

  context 'with an init that is named' do
    let(:params) { { 'init' => 'sysvinit', 'service_directory' => '/service', 'prefix' => '/opt/runit' } }

    it 'tells the tool' do
      words = ['--service-directory', '/service', '--prefix', '/opt/runit', '--init', 'sysvinit']
      is_expected.to contain_exec('runit-provision init link')
        .with(command: [tool, 'init', 'link', *words], unless: [[tool, 'init', 'status', *words]], onlyif: nil)
    end
  end
end
