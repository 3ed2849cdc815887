# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Command' do
  it { is_expected.to allow_values('exec web', ['web', '--port', 80]) }
  it { is_expected.not_to allow_values('', [], 80, [true]) }
end
