# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Line' do
  it { is_expected.to allow_values('text', 80) }
  it { is_expected.not_to allow_values('', '  ', "a\nb", true) }
end
