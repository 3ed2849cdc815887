# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Restart' do
  it do
    is_expected.to allow_values(
      'never',
      'always',
      { 'at_most' => 3, 'within' => '30s', 'forget' => 300, 'back_off' => '1m' }
    )
  end
  it { is_expected.not_to allow_values('sometimes', { 'at_most' => '3' }, { 'count' => 3 }) }
end
