# frozen_string_literal: true

require 'spec_helper'

describe 'runit::user::service' do
  let(:title) { 'apprun1/worker' }
  let(:params) { { 'command' => 'exec worker' } }

  it { is_expected.to compile.with_all_deps }

  it 'belongs to the user in its title' do
    is_expected.to contain_runit_service('apprun1/worker').with(
      keys: %w[users apprun1 services worker],
      value: { 'command' => 'exec worker' }
    )
  end

  context 'with a title that names nobody' do
    let(:title) { 'worker' }

    it { is_expected.to compile.and_raise_error(%r{Runit::User::Service\[worker\]: whose service is it\? The title is USER/SERVICE}) }
  end

  context 'with a title of its own' do
    let(:title) { 'the worker' }
    let(:params) { { 'user' => 'apprun2', 'service' => 'cluster/worker' } }

    it 'belongs to the user that is named' do
      is_expected.to contain_runit_service('apprun2/cluster/worker')
        .with_keys(%w[users apprun2 services cluster services worker])
    end
  end
end
