# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Levels' do
  it { is_expected.to allow_values({ 'default' => ['web'] }, {}) }
  it { is_expected.not_to allow_values({ 'default' => 'web' }, { '../x' => [] }) }
end
