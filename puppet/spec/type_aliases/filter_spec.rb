# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Filter' do
  it { is_expected.to allow_values('-debug*', '+*', 'e*', 'E*') }
  it { is_expected.not_to allow_values('debug', '-', "-a\nb") }
end
