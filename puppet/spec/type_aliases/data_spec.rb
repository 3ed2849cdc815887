# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Data' do
  it do
    is_expected.to allow_values(
      {},
      { 'users' => ['a'], 'runtime' => 'package' },
      { 'services' => { 'web' => { 'command' => 'web' } } }
    )
  end
  it { is_expected.not_to allow_values({ 'usres' => [] }, { 'runtime' => 'systemd' }) }
end
