# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Data::Service' do
  it do
    is_expected.to allow_values(
      {},
      { 'command' => 'web', 'env' => { 'A' => 1 }, 'log' => true },
      { 'services' => { 'inner' => { 'command' => 'x' } } },
      { 'instances' => { 'a' => :undef, 'b' => { 'command' => 'x' } }, 'limits' => :undef }
    )
  end
  it { is_expected.not_to allow_values({ 'memroy' => 1 }, { 'ensure' => 'present' }, { 'nice' => 41 }, { 'umask' => '088' }) }
end
