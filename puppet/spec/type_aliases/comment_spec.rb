# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Comment' do
  it { is_expected.to allow_values('', 'Joe Doe', 'Jürgen, room 3') }
  it { is_expected.not_to allow_values('a:b', "two\nlines", 1) }
end
