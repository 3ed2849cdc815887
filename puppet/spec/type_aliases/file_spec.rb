# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::File' do
  it { is_expected.to allow_values('text', sensitive('text'), { 'content' => 'text', 'mode' => '0644' }) }
  it { is_expected.not_to allow_values({ 'modes' => '0644' }, ['text']) }
end
