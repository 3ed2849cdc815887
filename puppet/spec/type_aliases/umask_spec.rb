# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Umask' do
  it { is_expected.to allow_values('027', '22', 0) }
  it { is_expected.not_to allow_values('088', 18) }
end
