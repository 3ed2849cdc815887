# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Stop' do
  it { is_expected.to allow_values(20, '2m', { 'seconds' => 20, 'kill' => true }, { 'kill' => false }) }
  it { is_expected.not_to allow_values(true, -1, { 'seconds' => 'soon' }, { 'signal' => 'KILL' }) }
end
