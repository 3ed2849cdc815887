# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Mode' do
  it { is_expected.to allow_values('0755', '640', 0) }
  it { is_expected.not_to allow_values('755 ', '0999', 493, 'rwx') }
end
