# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Text' do
  it { is_expected.to allow_values('', 'text', "a\nb", 80) }
  it { is_expected.not_to allow_values(true, nil, ['a']) }
end
