# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Verb' do
  it { is_expected.to allow_values('restart', 'up', 'hup', 1) }
  it { is_expected.not_to allow_values('reload', 3) }
end
