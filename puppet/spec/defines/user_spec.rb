# frozen_string_literal: true

require 'spec_helper'

describe 'runit::user' do
  let(:title) { 'kburdis' }

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_runit_service('runsvdir-kburdis').with(keys: %w[users kburdis], value: {}) }

  context 'with the parameters of the original module' do
    let(:params) { { 'group' => 'staff', 'basedir' => '/srv/kburdis', 'logdir' => '/var/log/kburdis', 'home' => '/home/kburdis' } }

    it { is_expected.to contain_runit_service('runsvdir-kburdis').with_value(params) }
  end

  context 'with a title for the process' do
    let(:params) { { 'process_title' => 0 } }

    it { is_expected.to contain_runit_service('runsvdir-kburdis').with_value('title' => 0) }
  end
end
