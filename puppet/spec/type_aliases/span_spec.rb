# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Span' do
  it { is_expected.to allow_values(0, 86400, '1d', '30 s', '2w') }
  it { is_expected.not_to allow_values(-1, '1y', 'soon') }
end
