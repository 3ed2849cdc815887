# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Data::User' do
  it { is_expected.to allow_values({}, { 'group' => 'staff', 'services' => { 'web' => :undef } }) }
  it { is_expected.not_to allow_values({ 'home' => 'relative' }, { 'services' => ['web'] }) }
end
