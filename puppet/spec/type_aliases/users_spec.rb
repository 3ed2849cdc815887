# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Users' do
  it { is_expected.to allow_values(%w[apprun1 apprun2], { 'apprun1' => :undef, 'apprun2' => { 'group' => 'staff' } }, []) }
  it { is_expected.not_to allow_values('../x', ['../x'], { 'apprun1' => { 'shell' => '/bin/sh' } }) }
end
