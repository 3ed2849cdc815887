# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Lines' do
  it { is_expected.to allow_values('a', %w[a b], []) }
  it { is_expected.not_to allow_values([''], {}) }
end
