# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Values' do
  it { is_expected.to allow_values({ 'port' => 80, 'names' => ['a'] }, {}) }
  it { is_expected.not_to allow_values({ 'a-b' => 1 }, ['a']) }
end
