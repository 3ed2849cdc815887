# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Shebang' do
  it { is_expected.to allow_values("#!/bin/sh\nexec web\n", '#! /usr/bin/env python3') }
  it { is_expected.not_to allow_values('exec web', '#!', "\n#!/bin/sh") }
end
