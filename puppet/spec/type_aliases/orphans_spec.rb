# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Orphans' do
  it { is_expected.to allow_values(true, false, 10, '10s') }
  it { is_expected.not_to allow_values('sometimes', -1, '10q') }
end
