# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Size' do
  it { is_expected.to allow_values(0, 1048576, '1m', '10 K', '2g') }
  it { is_expected.not_to allow_values(-1, '1.5m', 'ten', '1mb') }
end
