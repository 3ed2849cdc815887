# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Services' do
  it { is_expected.to allow_values({}, { 'web' => :undef }, { 'web' => { 'command' => 'web' } }) }
  it { is_expected.not_to allow_values(['web'], { '../web' => :undef }, { 'web' => { 'comand' => 'web' } }) }
end
