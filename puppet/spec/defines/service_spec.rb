# frozen_string_literal: true

require 'spec_helper'

describe 'runit::service' do
  let(:title) { 'web' }
  let(:params) { { 'command' => ['web', '--port', '80'], 'before_lines' => 'umask 077', 'log' => { 'size' => '1m' } } }

  it { is_expected.to compile.with_all_deps }

  it 'says of the service what was given, and nothing else' do
    is_expected.to contain_runit_service('web').with(
      target: '/etc/runit-provision/data.json',
      keys: %w[services web],
      value: { 'command' => ['web', '--port', '80'], 'before' => 'umask 077', 'log' => { 'size' => '1m' } }
    )
  end

  context 'in the tree of another' do
    let(:title) { 'cluster/node' }

    it { is_expected.to contain_runit_service('cluster/node').with_keys(%w[services cluster services node]) }
  end

  context 'with a name that leads out' do
    let(:title) { '../x' }

    it { is_expected.to compile.and_raise_error(/runit::keys|Runit::Name/) }
  end

  context 'with a value of a wrong type' do
    let(:params) { { 'limits' => { 'memory' => 'much' } } }

    it { is_expected.to compile.and_raise_error(/'memory'/) }
  end

  context 'with a secret' do
    let(:params) { { 'command' => ['web'], 'env' => { 'PASSWORD' => sensitive('hunter2') } } }

    it 'is one as a whole, which PuppetDB does not keep' do
      expect(catalogue.resource('Runit_service', 'web').sensitive_parameters).to eq([:value])
      expect(catalogue.resource('Runit_data', '/etc/runit-provision/data.json').sensitive_parameters).to be_empty
    end
  end
end
