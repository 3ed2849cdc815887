# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Tree' do
  it { is_expected.to allow_values({ 'node' => { 'command' => 'node' } }, { 'node' => :undef }) }
  it { is_expected.not_to allow_values({ '../node' => :undef }, { 'node' => 'exec node' }) }
end
