# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Env' do
  it { is_expected.to allow_values({ 'A' => 'b' }, { 'A' => 1, 'B' => :undef }, { 'A' => sensitive('secret') }) }
  it { is_expected.not_to allow_values({ 'A=' => 'b' }, { '.A' => 'b' }, { 'a/b' => 'c' }, { 'A' => ['b'] }) }
end
