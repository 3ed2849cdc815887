# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Letter' do
  it { is_expected.to allow_values('t', '1', 'p') }
  it { is_expected.not_to allow_values('z', 't1', 1) }
end
