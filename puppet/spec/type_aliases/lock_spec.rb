# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Lock' do
  it { is_expected.to allow_values('/run/lock/web', { 'path' => '/run/lock/web', 'wait' => false }) }
  it { is_expected.not_to allow_values('web', { 'wait' => false }) }
end
