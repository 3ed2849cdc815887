# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Words' do
  it { is_expected.to allow_values(['web', 80]) }
  it { is_expected.not_to allow_values([], 'web', [true]) }
end
