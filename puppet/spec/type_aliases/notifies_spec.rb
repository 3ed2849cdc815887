# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Notifies' do
  it { is_expected.to allow_values('web', ['web', 'apprun1/worker'], { 'nginx' => 'hup' }) }
  it { is_expected.not_to allow_values({ 'nginx' => 'reload' }, ['']) }
end
