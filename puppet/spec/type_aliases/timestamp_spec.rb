# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Timestamp' do
  it { is_expected.to allow_values(true, 'none', 'tai64n', 'utc', '-tt', 'iso') }
  it { is_expected.not_to allow_values('local', 1) }
end
