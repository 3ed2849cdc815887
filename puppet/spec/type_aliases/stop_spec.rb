# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Stop' do
  it { is_expected.to allow_values('quit', 20, '2m', { 'signal' => 'interrupt', 'seconds' => '30s', 'kill' => true }) }
  it { is_expected.not_to allow_values('stop', { 'after' => 3 }) }
end
