# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Groups' do
  it { is_expected.to allow_values({}, { 'media' => {} }, { 'media' => { 'gid' => 4000 } }) }
  it { is_expected.not_to allow_values(['media'], { 'a/b' => {} }) }
end
