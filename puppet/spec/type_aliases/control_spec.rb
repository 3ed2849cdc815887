# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Control' do
  it { is_expected.to allow_values({ 't' => "#!/bin/sh\n" }, {}) }
  it { is_expected.not_to allow_values({ 'z' => "#!/bin/sh\n" }, { 't' => 'exec true' }) }
end
