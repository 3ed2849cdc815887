# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Limits' do
  it { is_expected.to allow_values({}, { 'memory' => '512m', 'files' => 1024, 'cpu' => '1h' }) }
  it { is_expected.not_to allow_values({ 'memroy' => 1 }, { 'files' => '1k' }, { 'memory' => -1 }) }
end
