# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Finish' do
  it { is_expected.to allow_values("#!/bin/sh\n", { 'lines' => 'rm -f pid', 'mail' => { 'on_failure' => 'root' } }) }
  it { is_expected.not_to allow_values('rm -f pid', { 'mails' => 'root' }) }
end
