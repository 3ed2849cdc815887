# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Ensure' do
  it { is_expected.to allow_values('running', 'stopped', 'absent', 'any') }
  it { is_expected.not_to allow_values('present', true) }
end
