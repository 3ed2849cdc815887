# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Instances' do
  it { is_expected.to allow_values([], %w[tty1 tty2], { 'tty1' => :undef }, { 'tty1' => { 'env' => { 'A' => 1 }, 'limits' => :undef } }) }
  it { is_expected.not_to allow_values('tty1', ['../tty1'], { '../tty1' => :undef }, { 'tty1' => { 'comand' => 'getty' } }) }
end
